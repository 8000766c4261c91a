"""python -m micro"""

from micro.cli import main

main()
