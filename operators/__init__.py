"""The plugin's operators: forms and execution for the App. All the work is done by ``lgca_plugin``."""

from .classify import Classify
from .describe import DescribeClasses
from .runs import DeleteRun

OPERATORS = (Classify, DescribeClasses, DeleteRun)
