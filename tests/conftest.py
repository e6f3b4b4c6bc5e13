pytest_plugins = [
    "tests.plugins.requirements",
    "tests.plugins.statements",
    "tests.plugins.databases",
    "tests.plugins.properties",
]
