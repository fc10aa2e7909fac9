"""How FreeTDS's own programs print values, undone."""

SEPARATOR = "\x1f"
END = "\x1e\n"
# Their own form of dates and times stops at the minute; people who need more say so.
MOMENTS = "CONVERT(NVARCHAR(40), v, 121)"


def value(kind, text):
    if kind == "binary":
        text = text.upper()
        return text[2:] if text.startswith("0X") else text
    return text
