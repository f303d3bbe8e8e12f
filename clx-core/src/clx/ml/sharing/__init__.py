"""Share a run on the Hub: what is uploaded, and what is left out.

Entry points: ``push.push_run`` and ``shared_copy.shared_copy``. What was shared is opened by
``run_directory/hub_download.py``.
"""
