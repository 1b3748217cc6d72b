"""`priorcraft models` and `priorcraft data`."""

from typing import Annotated

from cyclopts import Parameter

Flag = Parameter(negative=())


def models(*, json: Annotated[bool, Flag] = False) -> None:
    """The models by name, and what is known of their density.

    Args:
        json: Print one JSON array.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_json, print_table

    (print_json if json else print_table)(verbs.models())


def data(*, json: Annotated[bool, Flag] = False) -> None:
    """The built-in data sets, and the forms that your own data may have.

    Args:
        json: Print one JSON array.
    """
    from priorcraft import verbs
    from priorcraft.cli.show import print_json, print_table

    (print_json if json else print_table)(verbs.data())
