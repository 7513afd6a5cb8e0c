"""Where things lie: the checkout, and the project's shared files beside it, which a clone may lack."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PUBLISHED_DESCRIPTIONS = ROOT.parent / "shared" / "data" / "descriptions"
