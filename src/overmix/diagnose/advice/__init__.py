"""Advice: what a study's conditions, taken together, say about mixing. Mix? Until when? What next?"""

from overmix.diagnose.advice.judge import advise
from overmix.diagnose.advice.record import Advice

__all__ = ["Advice", "advise"]
