"""The parent package of folder plugins: importing it makes ``micro_plugins.<folder>`` importable.

All names here start with an underscore, because plugin folders become attributes of this package.
"""

from micro.plugin.imports.folders import install_from_environment as _install_from_environment

_install_from_environment()
