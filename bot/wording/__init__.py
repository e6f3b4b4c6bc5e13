"""What Keyturn says: codes, facts and values in, sentences in the language of the moment out."""

from bot.wording.catalogue import FILTERS, NoWords, say
from bot.wording.changes import change, given_up, headed, hitched, phrased, rehearsed
from bot.wording.sandbox import environment, template_folders
from bot.wording.speech import as_mrkdwn, counted, joined, speak, translated

__all__ = [
    "FILTERS",
    "NoWords",
    "as_mrkdwn",
    "change",
    "counted",
    "environment",
    "given_up",
    "headed",
    "hitched",
    "joined",
    "phrased",
    "rehearsed",
    "say",
    "speak",
    "template_folders",
    "translated",
]
