"""The parent package of folder plugins: importing it makes ``micro_plugins.<folder>`` importable.

It holds underscore names only: a plugin folder of any other name becomes an attribute here.
"""

from micro.plugin.folders import install_from_environment as _install_from_environment

_install_from_environment()
