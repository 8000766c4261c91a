"""The web pages: the console and the interactive API documentation. All assets are in the package."""
