"""Share a run on the Hub: what is uploaded, and what is left out.

Entry points: ``push.push_run`` and ``shared_copy.shared_copy``. ``run_directory/hub_download.py`` opens what
was shared.
"""
