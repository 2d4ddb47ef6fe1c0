"""An environment and a command of a package that is not MesaBench's."""
