"""The app's settings, read from the environment once, with one message for all that are at fault.

records    the settings: names, forms, defaults
forms      how the text of each is read; targets reads DEPLOYMENTS
reading    the environment → one record, or one message
"""

from shared.settings.reading import SettingsFault, read_settings, setting_or_default, settings_message
from shared.settings.records import SETTINGS, Setting, Settings, StorageAccount
from shared.settings.targets import Platform, Target

__all__ = [
    "SETTINGS",
    "Platform",
    "Setting",
    "Settings",
    "SettingsFault",
    "StorageAccount",
    "Target",
    "read_settings",
    "setting_or_default",
    "settings_message",
]
