"""A Ray Serve deployment of an exported run: ``serve run ray_serve:app``.

Needs ``pip install 'ray[serve]>=2.52' 'clx-runtime[onnx]'``. Ray forms the batches: by tokens, because
the time of a batch depends on its tokens and not on its texts. The environment variable ``CLX_MODEL``
names the run directory or archive.
"""

import os

from ray import serve

TOKENS_PER_BATCH = 4096
TOKENS_PER_TEXT = 512
CHARACTERS_PER_TOKEN = 4


def tokens(texts: list[str]) -> int:
    """Return about how many tokens the model reads of some texts."""
    return sum(min(TOKENS_PER_TEXT, len(text) // CHARACTERS_PER_TOKEN + 2) for text in texts)


@serve.deployment(ray_actor_options={"num_cpus": 1}, max_ongoing_requests=256)
class Labels:
    """Answers ``POST {"texts": "a text"}`` with the decision for it."""

    def __init__(self) -> None:
        from clx_runtime import load

        self.model = load(os.environ["CLX_MODEL"], threads=1)

    @serve.batch(max_batch_size=TOKENS_PER_BATCH, batch_wait_timeout_s=0.005, batch_size_fn=tokens)
    async def decide(self, texts: list[str]) -> list[object]:
        """Return one decision per text."""
        return self.model.predict_labels(texts)

    async def __call__(self, request: object) -> dict[str, object]:
        """Answer one request."""
        body = await request.json()
        return {"labels": await self.decide(body["texts"])}


app = Labels.bind()
