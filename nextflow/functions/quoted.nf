// Text for bash. The strict parser runs a file of functions again for each script that includes it, and takes the includes
// of that file as defined twice. So a file that several scripts include, such as this one, includes none itself.

// Return a value as one word.
def quoted(value) {
    def text = value.toString()
    return text ==~ /[A-Za-z0-9._:,\/+=-]+/ ? text : "'" + text.replace("'", "'\\''") + "'"
}
