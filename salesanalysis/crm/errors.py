"""The ways an input is refused; the command line gives each its exit code."""


class MappingError(ValueError):
    """The mapping file itself is wrong: a key, a name or a value it may not hold."""


class ProcessError(ValueError):
    """The process file itself is wrong: a key, a value, or rules that do not fit together."""


class ParameterError(ValueError):
    """A parameter of a report has a value it may not have."""


class InputRefused(ValueError):
    """A file or store cannot be read as what it was declared to be."""
