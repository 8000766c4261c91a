from micro import PluginBase, PluginDescription


class Greeting(PluginBase):
    def run(self, name: str, times: int = 1) -> dict[str, str]:
        """Greet somebody.

        Args:
            name: Whom to greet.
            times: How often.
        """
        return {"msg": " ".join([f"Hello {name}!"] * times)}


plugin = PluginDescription(
    instance=Greeting,
    name="Greeting",
    version="1.0.0",
    description="Greets whom you name",
    plugin_help="name: whom to greet; times: how often, once if left out",
    examples=[
        {"params": {"name": "Ada"}, "result": {"msg": "Hello Ada!"}},
        {"params": {"name": "Ada", "times": 2}, "result": {"msg": "Hello Ada! Hello Ada!"}},
    ],
)
