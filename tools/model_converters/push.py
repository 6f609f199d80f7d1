"""Publish a trained model: a folder that others can load, or a repository of the Hugging Face hub.

    mmris push configs/cm_masksd/vit-b_refcoco.py work_dirs/vit-b_refcoco/best_mIoU_epoch_90.pth user/vit-b_refcoco \
        --scores scores.json --scored-on "RefCOCO (unc)" --licence apache-2.0

uploads config.json, model.safetensors, the tokenizer's vocabulary and a model card to huggingface.co/user/vit-b_refcoco
(docs/hub.md). Give ./vit-b_refcoco in place of user/vit-b_refcoco to write them to a folder instead.
"""

from mmris.command_line import run_command
from mmris.command_line.arguments import add_model_arguments
from mmris.command_line.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    add_model_arguments(parser, after='TARGET')
    parser.add_argument(
        'target', metavar='TARGET', help='folder to write, such as ./name; or repository of the Hugging Face hub, '
        'user/name, where no folder of that name could be meant (hf-hub:user/name always is one)')
    parser.add_argument('--scores', metavar='FILE', help='scores for the model card: what `mmris test --out` wrote')
    parser.add_argument(
        '--scored-on', metavar='DATA', help='name of the data that the scores are of (default: the name of the '
        'config\'s data folder)')
    parser.add_argument(
        '--licence', metavar='ID', help='licence of the weights as the hub names it, such as apache-2.0 (default: none '
        'is named)')
    parser.add_argument(
        '--trained-on', action='append', metavar='DATA', default=[], help='data that the model was trained on, as the '
        'hub names it, such as user/data; may be given several times (default: none is named)')
    parser.add_argument('--half', action='store_true', help='write parameters as float16, which halves the file')
    parser.add_argument('--private', action='store_true', help='make a repository that only you can see')
    parser.add_argument('--message', help='message of the commit in the repository (default: names mmris)')


if __name__ == '__main__':
    run_command(__file__, __doc__, add_arguments)
