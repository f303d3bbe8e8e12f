"""The run on disk: its layout and config, atomic replacement, one writer, and safe opening.

Entry points: ``layout.RunDir``, ``finding.find_run`` and ``saved_runs``, ``config.read_config``,
``staging.staged``, ``lock.only_writer`` and ``safety.refuse_unsafe``.
"""
