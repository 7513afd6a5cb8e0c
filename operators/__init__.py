"""The plugin's operators and panels: forms and layout for the App. All the work is done by ``lgca_plugin``."""

from .cancel_run import CancelRun
from .classify.operator import Classify
from .decisions.operators import Decide, ExportDecisions, UndoDecision
from .delete_run import DeleteRun
from .describe.operator import DescribeClasses
from .evaluate import Evaluate
from .find.estimate import EstimateSearch
from .find.next_step import NextStep
from .find.operator import FindWrongLabels
from .fuse.operator import Fuse
from .menu import Menu
from .panels.compare.open import OpenCompare
from .panels.compare.panel import ComparePanel
from .panels.evidence.panel import EvidencePanel
from .panels.review.open import OpenReview
from .panels.review.panel import ReviewPanel
from .report import Report
from .rescore.operator import Rescore
from .rescore.suggest import SuggestSettings
from .search import Search
from .triage import Triage

OPERATORS = (
    Menu,
    FindWrongLabels,
    EstimateSearch,
    NextStep,
    Classify,
    Rescore,
    SuggestSettings,
    Triage,
    Decide,
    UndoDecision,
    ExportDecisions,
    Report,
    Evaluate,
    Fuse,
    Search,
    DescribeClasses,
    DeleteRun,
    CancelRun,
    OpenCompare,
    OpenReview,
)

PANELS = (ComparePanel, EvidencePanel, ReviewPanel)
