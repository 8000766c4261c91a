"""Refuses what its types let through."""

from micro import PluginBase, PluginDescription, PluginError


class DeclaredErrors(PluginBase):
    def run(self, user: str) -> dict[str, str]:
        """Greet a user that there is."""
        if user != "ada":
            raise PluginError("no such user", status=404, code="user_unknown")
        return {"message": f"Hello {user}!"}


plugin = PluginDescription(
    name="Declared Errors",
    version="1.0.0",
    description="Knows one user",
    examples=[{"params": {"user": "ada"}, "result": {"message": "Hello ada!"}}],
)
