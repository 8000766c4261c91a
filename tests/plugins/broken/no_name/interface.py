import words

from micro import PluginBase, PluginDescription, hookimpl


class NoName(PluginBase):
    def run(self):
        return {"word": words.WORD}


@hookimpl
def micro_start(micro):
    raise AssertionError("a plugin that was left out has no hooks")


plugin = PluginDescription(instance=NoName)
