"""clx: fine-tune, evaluate and run Hugging Face text models; tasks are plugins.

The programming interface is :mod:`clx.ml`; folders are in :mod:`clx.settings`, exceptions in
:mod:`clx.errors`. Importing this package imports nothing else.
"""

__version__ = "0.1.0"
