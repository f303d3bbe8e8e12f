"""``ClxClassifier``: a run as an estimator of scikit-learn, for pipelines and cross-validation.

It needs scikit-learn: ``pip install 'clx-core[sklearn]'``.
"""

from clx.errors import MissingDependencyError

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise MissingDependencyError(
        "clx.sklearn needs scikit-learn: pip install 'clx-core[sklearn]'"
    ) from error

from clx.sklearn.estimator import ClxClassifier

__all__ = ["ClxClassifier"]
