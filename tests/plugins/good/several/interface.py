from micro import PluginBase, PluginDescription, hookimpl


class Circle(PluginBase):
    def run(self):
        return {"corners": 0}


class Square(PluginBase):
    def run(self):
        return {"corners": 4}


@hookimpl
def micro_plugins():
    for cls in (Circle, Square):
        yield PluginDescription(instance=cls, name=cls.__name__)
