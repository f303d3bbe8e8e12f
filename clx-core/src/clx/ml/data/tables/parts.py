"""The finished parts of a long output: each is complete or absent, and records its input rows.

A part is an Arrow file. Its name holds its number and the fingerprint of its input. A part whose
input did not change is not computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ResumeError, RunExistsError
from clx.ml.data.tables.rows import common_type, fitted
from clx.ml.run_directory.files import fsync, write_json
from clx.ml.run_directory.staging import remove
from clx.problems import raise_problems
from clx_runtime.files import read_json, read_json_or_empty

if TYPE_CHECKING:
    import pyarrow as pa

STATE = "state.json"
FINISHED = "finished.json"


class PartFolder:
    """A folder of parts.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, identity: dict[str, Any], resume: bool, overwrite: bool) -> None:
        """Make the folder, or take over the parts of an interrupted call.

        Args:
            identity: everything besides their input that all parts depend on, as JSON.
            resume: whether to keep finished parts.
            overwrite: whether to remove them.

        Raises:
            RunExistsError: there are finished parts, and neither ``resume`` nor ``overwrite`` is set.
            ResumeError: the interrupted call had another identity.
        """
        state = self.path / STATE
        parts = len(list(self.path.glob("*.arrow")))
        if resume and state.is_file():
            before = read_json(state)
            raise_problems(
                ResumeError,
                f"The interrupted prediction in {self.path} differs from this one:",
                [f"{key} changed" for key in identity if before.get(key) != identity[key]],
                "Restore what changed, or pass overwrite=True to start again.",
            )
            return
        if parts and not resume and not overwrite:
            raise RunExistsError(
                f"{self.path} holds {parts} finished parts of an interrupted prediction: pass "
                f"resume=True to continue it, or overwrite=True to start again"
            )
        remove(self.path)
        self.path.mkdir(parents=True)
        write_json(state, identity)

    def has(self, number: int, fingerprint: str) -> bool:
        """Return whether the part with this number was made from this input."""
        return self._file(number, fingerprint).is_file()

    def write(self, number: int, fingerprint: str, batch: pa.RecordBatch) -> None:
        """Write a part, and remove the one that was made from an earlier input."""
        import pyarrow as pa

        file = self._file(number, fingerprint)
        new = file.with_suffix(".new")
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with (
            pa.OSFile(str(new), "wb") as stream,
            pa.ipc.new_file(stream, batch.schema, options=options) as writer,
        ):
            writer.write_batch(batch)
        fsync(new)
        for earlier in self.path.glob(f"{number:08d}.*.arrow"):
            earlier.unlink()
        new.replace(file)

    def schema(self, fingerprints: Sequence[str]) -> pa.Schema:
        """Return the schema that all parts fit into.

        Args:
            fingerprints: the input of each part, in order.
        """
        import pyarrow as pa

        fields: dict[str, pa.Field] = {}
        for file in self._files(fingerprints):
            with pa.OSFile(str(file)) as stream:
                for field in pa.ipc.open_file(stream).schema:
                    before = fields.get(field.name, field)
                    fields[field.name] = before.with_type(common_type(before.type, field.type))
        return pa.schema([field.with_nullable(True) for field in fields.values()])

    def batches(self, fingerprints: Sequence[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the parts in order, fitted to the schema."""
        import pyarrow as pa

        for file in self._files(fingerprints):
            with pa.OSFile(str(file)) as stream:
                reader = pa.ipc.open_file(stream)
                for number in range(reader.num_record_batches):
                    yield fitted(reader.get_batch(number), schema)

    def finish(self, evidence: dict[str, Any]) -> None:
        """Record that the output is complete, before it moves to its place."""
        write_json(self.path / FINISHED, evidence)

    def was_finished(self, identity: dict[str, Any], evidence: dict[str, Any]) -> bool:
        """Return whether the same call was interrupted after its output was complete.

        Evidence that is None cannot show that nothing changed.
        """
        if None in evidence.values():
            return False
        state = read_json_or_empty(self.path / STATE)
        return state == identity and read_json_or_empty(self.path / FINISHED) == evidence

    def remove(self) -> None:
        """Remove the folder."""
        remove(self.path)

    def remove_if_empty(self) -> None:
        """Remove the folder if no part is finished."""
        if not any(self.path.glob("*.arrow")):
            self.remove()

    def _file(self, number: int, fingerprint: str) -> Path:
        return self.path / f"{number:08d}.{fingerprint}.arrow"

    def _files(self, fingerprints: Sequence[str]) -> Iterator[Path]:
        return (self._file(number, each) for number, each in enumerate(fingerprints))
