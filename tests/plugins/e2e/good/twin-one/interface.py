import core.deep
import helper

from micro import PluginBase, PluginDescription


class Twin(PluginBase):
    def run(self):
        import later

        return {"helper": helper.NAME, "core": core.deep.NAME, "later": later.NAME}


plugin = PluginDescription(instance=Twin, name="Twin one", version="1.0.0")
