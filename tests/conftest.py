pytest_plugins = [
    "tests.plugins.requirements",
    "tests.plugins.databases",
    "tests.plugins.properties",
]
