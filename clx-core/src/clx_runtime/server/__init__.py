"""Serve runs over HTTP: ``clx serve`` and ``clx-serve``. Needs the packages of the extra ``serve``."""
