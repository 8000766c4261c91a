import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from squares import square

from micro import PluginBase, PluginDescription


class Crowd(PluginBase):
    """Shares its work out to processes, which find the plugin's own modules."""

    def run(self, numbers: list[int], method: str = "spawn"):
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(2, context) as pool:
            by_executor = list(pool.map(square, numbers))
        with context.Pool(1) as pool:
            by_pool = pool.map(square, numbers)
        return {"executor": by_executor, "pool": by_pool}


plugin = PluginDescription(instance=Crowd, name="Crowd", version="1.0.0")
