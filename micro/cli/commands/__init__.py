"""The commands of ``micro``, one file each."""

# Each name is a module of this package; only the module of the command that is called is imported.
COMMANDS = {
    "check": "Check plugins: import, description, contract, examples.",
    "completion": "Print the script that makes a shell complete `micro`.",
    "config": "Show every setting, its value and where it came from.",
    "health": "Check whether the running Micro does its work.",
    "help": "Show what a plugin takes and returns, and how to call it.",
    "jobs": "List, follow, cancel and repeat jobs.",
    "logs": "Show the log of the running Micro, and follow it.",
    "new": "Write a new plugin, with a test and a README.",
    "plugins": "List the plugins that are loaded, and those that were left out.",
    "reload": "Bring changed plugins into service.",
    "run": "Run a plugin here and print its JSON.",
    "status": "Show what the running Micro does.",
    "stop": "Stop the running Micro.",
}
