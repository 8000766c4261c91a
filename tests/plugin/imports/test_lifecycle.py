"""Plugins are reloaded, taken over by a second manager, and see what changes around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Case = Callable[..., Any]

WITH_BYTECODE = {"PYTHONDONTWRITEBYTECODE": None}

TWO = {
    "one/interface.py": "import utils\nclass Plugin:\n    name = utils.NAME",
    "one/utils.py": "NAME = 'old'",
    "two/interface.py": "import utils",
    "two/utils.py": "NAME = 'two'",
}


def test_a_reload_sees_every_edit_and_touches_no_other_plugin(namespace_case: Case) -> None:
    namespace_case(
        TWO,
        """
        import gc, weakref

        def write(file, text):
            (PLUGINS / "one" / file).write_text(text)
            os.utime(PLUGINS / "one" / file, (10**9, 10**9))

        write("utils.py", "NAME = 'old'")
        old, two = load("one"), load("two")
        others = {name: each for name, each in sys.modules.items() if ".one" not in name}
        remembered = weakref.ref(old.Plugin), weakref.ref(old.utils)

        # Of the same size, in the same second: bytecode does not tell these apart.
        write("utils.py", "NAME = 'new'")
        unload_folder(folder("one"))
        new = load("one")
        assert new is not old and new.Plugin.name == "new"

        write("interface.py", "import added")
        write("added.py", "NAME = 'added'")
        unload_folder(folder("one"))
        assert load("one").added.NAME == "added"

        assert load("two") is two
        assert {name: sys.modules[name] for name in others} == others
        del old, new
        gc.collect()
        assert [each() for each in remembered] == [None, None]
        """,
        env=WITH_BYTECODE,
    )


def test_bytecode_written_after_a_reload_serves_the_next_process(namespace_case: Case) -> None:
    edit = """
        file = PLUGINS / "one" / "utils.py"
        os.utime(file, (10**9, 10**9))
        load("one")
        file.write_text("NAME = 'new'")
        os.utime(file, (10**9, 10**9))
        unload_folder(folder("one"))
    """
    namespace_case(TWO, edit + "    assert load('one').utils.NAME == 'new'", env=WITH_BYTECODE)
    namespace_case({}, "assert load('one').utils.NAME == 'new'", env=WITH_BYTECODE)


def test_a_new_process_sees_an_edit_of_the_same_size_in_the_same_second(namespace_case: Case) -> None:
    edit = """
        import os, time
        file, now = PLUGINS / "one" / "utils.py", int(time.time())
        os.utime(file, (now, now))
        load("one")
        file.write_text("NAME = 'new'")
        os.utime(file, (now, now))
    """
    namespace_case(TWO, edit, env=WITH_BYTECODE)
    namespace_case({}, "assert load('one').utils.NAME == 'new'", env=WITH_BYTECODE)


def test_many_reloads_leave_nothing_behind(namespace_case: Case) -> None:
    namespace_case(
        TWO,
        """
        import gc

        def reload(times):
            for _ in range(times):
                unload_folder(folder("one"))
                load("one")
            gc.collect()
            return len(gc.get_objects()), len(sys.modules), len(sys.path_importer_cache), len(sys.path)

        reload(20)
        assert reload(20) == reload(60)
        """,
    )


def test_a_folder_that_is_gone_after_its_unloading_cannot_be_imported(namespace_case: Case) -> None:
    namespace_case(
        TWO,
        """
        import shutil
        one = folder("one")
        load("one")
        unload_folder(one)
        shutil.rmtree(one.path)
        unload_folder(one)
        refresh_builtins(one)
        try:
            import micro_plugins.one
        except ModuleNotFoundError:
            import micro_plugins.two.interface
        else:
            raise AssertionError
        """,
    )


def test_a_folder_that_comes_later_can_be_loaded_and_imported(namespace_case: Case) -> None:
    namespace_case(
        TWO,
        """
        import importlib, shutil
        load("one")
        shutil.copytree(PLUGINS / "two", PLUGINS / "three")
        assert load("three").utils.NAME == "two"
        shutil.copytree(PLUGINS / "two", PLUGINS / "four")
        importlib.invalidate_caches()
        from micro_plugins.four.utils import NAME
        """,
    )


def test_a_new_folder_may_take_the_identifier_of_another(namespace_case: Case) -> None:
    namespace_case(
        {"my-plugin/interface.py": "NAME = 'first'"},
        """
        first = load("my-plugin")
        assert first.__name__ == "micro_plugins.my_plugin.interface"
        (PLUGINS / "my_plugin").mkdir()
        (PLUGINS / "my_plugin" / "interface.py").write_text("NAME = 'exact'")
        assert load("my_plugin").NAME == "exact"
        again = load("my-plugin")
        assert again.NAME == "first" and again.__name__.startswith("micro_plugins.my_plugin_")

        from dataclasses import replace
        unload_folder(replace(folder("my-plugin"), ident="my_plugin"))
        assert "micro_plugins.my_plugin.interface" in sys.modules
        """,
    )


def test_importlib_reload_keeps_own_imports(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": """
                import importlib
                import helper

                def run():
                    return importlib.reload(helper)
            """,
            "one/helper.py": "import utils\ntimes = globals().get('times', 0) + 1",
            "one/utils.py": "",
        },
        """
        one = load("one")
        assert one.run() is one.helper and one.helper.times == 2
        """,
    )


def test_names_added_to_builtins_are_seen_from_the_next_run_on(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": """
                def run():
                    import utils
                    return translate("x"), utils.__name__
            """,
            "one/utils.py": "",
        },
        """
        import builtins
        one = load("one")
        builtins.translate = lambda text: text * 2
        try:
            one.run()
        except NameError:
            refresh_builtins(folder("one"))
        assert one.run() == ("xx", "micro_plugins.one.utils")
        for name in "aloud", "translate":
            # Now the same under another name, then another under the same.
            vars(builtins)[name] = vars(builtins).pop("translate" if name == "aloud" else "aloud")
            refresh_builtins(folder("one"))
            assert one.__builtins__[name]("x") == "xx"
        builtins.translate = str.upper
        refresh_builtins(folder("one"))
        assert one.run() == ("X", "micro_plugins.one.utils")
        assert builtins.__import__ is not one.__builtins__["__import__"]
        """,
    )


def test_a_replaced_import_function_of_the_process_is_called(namespace_case: Case) -> None:
    namespace_case(
        {"one/interface.py": "def run():\n    import utils, sys", "one/utils.py": ""},
        """
        import builtins
        run, real, names = load("one").run, builtins.__import__, []

        def watching(name, *arguments):
            names.append(name)
            return real(name, *arguments)

        builtins.__import__ = watching
        run()
        builtins.__import__ = real
        assert (names[0], names[-1]) == ("micro_plugins.one.utils", "sys"), names
        """,
    )


def test_a_second_manager_takes_over(namespace_case: Case) -> None:
    namespace_case(
        {**TWO, "../others/three/interface.py": ""},
        """
        one, before = load("one"), list(sys.meta_path)
        file = PLUGINS / "one" / "utils.py"
        file.write_text("NAME = 'new'")

        install([PLUGINS])
        assert not [name for name in sys.modules if name.startswith("micro_plugins.")]
        assert load("one").utils.NAME == "new" and load("one") is not one

        install([PLUGINS.parent / "others"])
        assert len(sys.meta_path) == len(before)
        import micro_plugins.three.interface
        try:
            import micro_plugins.one
        except ModuleNotFoundError:
            pass
        else:
            raise AssertionError
        """,
        env=WITH_BYTECODE,
    )


def test_what_was_never_loaded_can_be_unloaded(namespace_case: Case) -> None:
    namespace_case(
        TWO,
        """
        assert "micro_plugins" not in sys.modules
        unload_folder(folder("one"))
        refresh_builtins(folder("one"))
        unload_folder(folder("one"))
        assert "micro_plugins" not in sys.modules
        """,
    )


def test_a_folder_can_be_loaded_without_installing_first(namespace_case: Case) -> None:
    namespace_case(
        TWO,
        """
        uninstall()
        assert load("one").Plugin.name == "old"
        import micro_plugins.two.interface
        """,
    )


def test_the_parent_package_holds_no_public_names_and_loads_nothing(namespace_case: Case) -> None:
    names = ["load", "sys", "json", "annotations", "micro", "micro_plugins", "interface", "install", "utils"]
    namespace_case(
        {f"{name}/interface.py": "import utils" for name in names}
        | {f"{name}/utils.py": f"NAME = {name!r}" for name in names},
        f"""
        import micro_plugins
        assert not [name for name in vars(micro_plugins) if not name.startswith("_")]
        assert not [name for name in sys.modules if name.startswith("micro_plugins.")]
        for name in {names!r}:
            assert load(name).utils.NAME == name
            assert getattr(micro_plugins, name).interface.utils.NAME == name
        """,
    )
