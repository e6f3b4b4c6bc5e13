pytest_plugins = [
    "tests.plugins.measured",
    "tests.plugins.requirements",
    "tests.plugins.statements",
    "tests.plugins.databases",
    "tests.plugins.properties",
]
