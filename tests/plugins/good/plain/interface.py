from micro import PluginBase, PluginDescription


class Plain(PluginBase):
    def run(self):
        return {"from": "plain"}


plugin = PluginDescription(
    instance=Plain,
    name="Plain",
    version="1.2.3",
    url="https://plain.example",
    author="Ada",
    author_email="ada@plain.example",
    description="As plain as can be",
    long_description="Returns the same, always",
    plugin_help="No parameters",
    examples=[{"params": {}, "result": {"from": "plain"}}],
)
