from .checks import check_downloaded, next_command
from .sets import fetch_sets
from .table import DATA_SETS, DataSet, RemoteFile, get_data_set
from .transfer import Patience

__all__ = [
    'DATA_SETS', 'DataSet', 'Patience', 'RemoteFile', 'check_downloaded', 'fetch_sets', 'get_data_set', 'next_command'
]
