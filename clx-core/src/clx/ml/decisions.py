"""How a decision follows from the scores of a text, as data. This module is public: any task may use it.

``decision_rule`` of a task returns one of these. An exported run then decides in the same way without
the task's package.
"""

from clx_runtime.decisions import DecisionRule
from clx_runtime.label_set import LabelSet
from clx_runtime.one_label import OneLabel

__all__ = ["DecisionRule", "LabelSet", "OneLabel"]
