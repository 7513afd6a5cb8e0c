"""The plugin's operators and panels: forms and layout for the App. All the work is done by ``lgca_plugin``."""

from .classify import Classify
from .compare import OpenCompare
from .compare_panel import ComparePanel
from .decide import Decide, ExportDecisions, UndoDecision
from .describe import DescribeClasses
from .evaluate import Evaluate
from .evidence_panel import EvidencePanel
from .rescore import Rescore
from .runs import DeleteRun
from .suggest import SuggestSettings
from .triage import Triage

OPERATORS = (
    Classify,
    Rescore,
    SuggestSettings,
    Triage,
    Decide,
    UndoDecision,
    ExportDecisions,
    Evaluate,
    DescribeClasses,
    DeleteRun,
    OpenCompare,
)

PANELS = (ComparePanel, EvidencePanel)
