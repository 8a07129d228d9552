"""Executed by Flower (its --conf option, FLOWER_CONF); every name here is an option of Flower's."""

from copydesk import settings as _settings
from tasks import flower as _flower

globals().update(_flower.options(_settings.load()))
