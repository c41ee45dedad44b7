"""What tutorials claim of the I/O models, judged by measured runs.

Owns the claims: what is gathered for each (measures.py), the rules (judging.py), the words (texts.py) and the page (page.py).
"""

from __future__ import annotations

from .judging import judge
from .measures import Measures, measure
from .page import claims_page
from .values import Claim

__all__ = ["Claim", "Measures", "claims_page", "judge", "measure"]
