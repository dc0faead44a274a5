from .lazy_app import (
    LazyApp as LazyApp,
)
from .live.app import (
    build_live as build_live,
)
from .live.sessions import (
    LiveSessions as LiveSessions,
)
from .middleware import (
    LOCALHOST_NAMES as LOCALHOST_NAMES,
    OriginCheck as OriginCheck,
    RequestLimits as RequestLimits,
)
from .one_time_store import (
    recording_store as recording_store,
)
from .protection.headers import (
    SecurityHeaders as SecurityHeaders,
)
from .protection.request_head import (
    limit_request_heads as limit_request_heads,
)
from .rest import (
    build_rest as build_rest,
)
from .routes import (
    API_PATH as API_PATH,
    LIVE_PATH as LIVE_PATH,
    is_serving as is_serving,
)
