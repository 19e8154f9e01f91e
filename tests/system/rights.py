"""Who may see what, as the documents say it, in a few lines: the model that the programs are held
against (modelled.py)."""
import collections

USERS = ["u%d" % n for n in range(8)]
NAMES = ["room:1", "room:2", "room:3", "room:vip1", "room:vip2", "zoo:1", "zoo:2", "zoo:3", "open:1",
         "open:2", "hall", "all", "user:u0", "user:u1", "user:u2"]
PATTERNS = ["room:*", "room:vip*", "zoo:*", "open:*", "user:*", "*", "ha*"]
CARRIED = "all"
RIGHTS = ("subscribe", "publish", "presence")
CHANNELS = {
    "room:vip*": {"subscribe": "granted", "publish": "granted", "presence": "closed"},
    "room:*": {"subscribe": "authenticated", "publish": "granted", "history": "granted"},
    "open:*": {"subscribe": "open", "publish": "open", "presence": "anonymous"},
}
SKEW = 30       # seconds that clocks may differ


def covers(pattern, name):
    """Users' own channels are taken in only by patterns that begin as they do."""
    if not pattern.endswith("*"):
        return pattern == name
    return name.startswith(pattern[:-1]) and (pattern.startswith("user:") or not name.startswith("user:"))


class Rules:
    """Sections, grants, revocations."""

    def __init__(self):
        self.stored = collections.defaultdict(set)      # user or "*": (right, channel)
        self.disabled, self.revoked, self.before = set(), set(), collections.Counter()

    def may(self, who, action, name):
        reads = action in ("subscribe", "history")
        if reads and (name == CARRIED or (who.user and name == "user:" + who.user)):
            return True
        section = next((CHANNELS[p] for p in CHANNELS if covers(p, name)), {})
        access = section.get(action, section.get("subscribe") if action == "history" else None)
        if access in ("open", "anonymous") or access == "authenticated" and who.user:
            return True
        right = "subscribe" if reads else action
        return access != "closed" and any(r == right and covers(p, name) for r, p in self.grants(who))

    def grants(self, who):
        return who.grants | self.stored[who.user] | self.stored["*"] if who.user else who.grants

    def admits(self, who, wall):
        return not who.user or (
            wall < who.exp + SKEW and who.user not in self.disabled and who.jti not in self.revoked and
            who.iat >= self.before[who.user] and who.iat >= self.before["*"])


class Who:
    """Somebody with a token, or nobody."""

    def __init__(self, user=None, grants=(), jti=None, iat=0, exp=1e12, text=None):
        self.user, self.grants, self.jti, self.iat, self.exp = user, frozenset(grants), jti, iat, exp
        self.head = {"HTTP_AUTHORIZATION": "Bearer " + text} if text else {}

    def ends(self, wall):
        """When a stream that is opened now ends with the token."""
        return self.exp + SKEW if wall >= self.exp else self.exp
