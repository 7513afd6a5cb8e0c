"""The plugin's operators: forms and execution for the App. All the work is done by ``lgca_plugin``."""

from .classify import Classify
from .describe import DescribeClasses
from .rescore import Rescore
from .runs import DeleteRun
from .suggest import SuggestSettings

OPERATORS = (Classify, Rescore, SuggestSettings, DescribeClasses, DeleteRun)
