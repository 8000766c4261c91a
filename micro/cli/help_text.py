"""What ``micro -h`` prints; ``python -m micro.cli.help_text`` writes this file anew from the flags."""

from __future__ import annotations

TEXT = """\
Usage: micro [OPTIONS] [COMMAND] [ARGS]...

  Serve Python plugins over REST (-G), over Celery (-C), or both.

Options:
  -d, --default-values            Show the default values as a JSON file and
                                  exit.
  -v, --version                   Show the version and exit.
  -D, --daemon                    Serve in the background; return when it is
                                  ready.
  -c, --config-file FILE          JSON file with settings. [env:
                                  MICRO_CONFIG_FILE]
  -G, --gunicorn                  Serve the plugins over REST. [env:
                                  MICRO_GUNICORN]
  -C, --celery                    Serve the plugins over Celery. [env:
                                  MICRO_CELERY]
  -p, --plugin-path PATH          Folder that holds the plugin folders;
                                  several are joined by ':'. [env:
                                  MICRO_PLUGIN_PATH]
  -r, --reload RELOAD             How changed plugins come into service:
                                  watch, as soon as they change; manual, on
                                  `micro reload`; off, when Micro starts.
                                  [env: MICRO_RELOAD; default: watch]
  -b, --bind BIND                 Address of the REST server: HOST:PORT or
                                  unix:PATH. [env: MICRO_BIND; default:
                                  127.0.0.1:8000]
  -gw, --gunicorn-workers WORKERS
                                  Number of REST worker processes. [env:
                                  MICRO_GUNICORN_WORKERS; default: 1]
  -gt, --gunicorn-threads THREADS
                                  Calls that each REST worker process runs at
                                  once. [env: MICRO_GUNICORN_THREADS; default:
                                  16]
  -B, --broker-url URL            URL of the message broker (amqp://,
                                  redis://); empty starts an embedded one.
                                  [env: MICRO_BROKER_URL]
  -q, --task-queues QUEUES        Celery queues, separated by commas. [env:
                                  MICRO_TASK_QUEUES; default: micro]
  -H, --hostname HOSTNAME         Host part of the names of the Celery nodes;
                                  %h is the machine's name. [env:
                                  MICRO_HOSTNAME; default: micro]
  -cw, --celery-workers WORKERS   Number of Celery worker nodes. [env:
                                  MICRO_CELERY_WORKERS; default: 1]
  -ln, --log-file-name NAME       Name of the log file. [env:
                                  MICRO_LOG_FILE_NAME; default: micro.log]
  -lp, --log-folder-path PATH     Folder of the log file. [env:
                                  MICRO_LOG_FOLDER_PATH; default:
                                  /var/log/micro]
  -ll, --log-level LEVEL          Lowest level that is logged: DEBUG, INFO,
                                  WARNING, ERROR or CRITICAL. [env:
                                  MICRO_LOG_LEVEL; default: WARNING]
  -pp, --pid-folder-path PATH     Folder of the PID files. [env:
                                  MICRO_PID_FOLDER_PATH; default:
                                  /var/run/micro]
  -h, --help                      Show this message and exit.

Commands:
  check       Check plugins: import, description, contract, examples.
  completion  Print the script that makes a shell complete `micro`.
  config      Show every setting, its value and where it came from.
  health      Check whether the running Micro does its work.
  help        Show what a plugin takes and returns, and how to call it.
  jobs        List, follow, cancel and repeat jobs.
  logs        Show the log of the running Micro, and follow it.
  new         Write a new plugin, with a test and a README.
  plugins     List the plugins that are loaded, and those that were left out.
  reload      Bring changed plugins into service.
  run         Run a plugin here and print its JSON.
  status      Show what the running Micro does.
  stop        Stop the running Micro.

  Plugins may add commands of their own. Exit codes: 0 done, 1 failed, 2 usage
  or configuration, 3 broker unreachable, 4 already running.
"""


def render() -> str:
    """Return the help as click makes it."""
    from click import Context

    from micro.cli.group import cli

    settings = {**cli.context_settings, "terminal_width": 78}
    return cli.get_help(Context(cli, info_name="micro", **settings)) + "\n"


def write() -> None:
    """Put the help into this file."""
    from pathlib import Path

    path = Path(__file__)
    before, mark, rest = path.read_text().partition('TEXT = """\\\n')
    after = rest.partition('"""\n')[2]
    path.write_text(f'{before}{mark}{render()}"""\n{after}')


if __name__ == "__main__":
    write()
