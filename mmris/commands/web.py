"""The work of ``mmris web``."""

import argparse

from mmris.web import Models, find_loaders, serve


def main(arguments: argparse.Namespace) -> None:
    settings = dict(threshold=arguments.threshold, device=arguments.device, dtype=arguments.dtype)
    serve(Models(find_loaders(arguments.model, arguments.trained, **settings)), arguments.host, arguments.port)
