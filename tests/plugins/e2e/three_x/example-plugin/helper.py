def shout(*parts):
    return "%s %s%s" % parts
