// The files that the sheet of an experiment names. Tasks get them beside the sheet, where its relative paths lead.

// Return the files as [text in the sheet, path], each once. A sheet that is no YAML names none: histpred says what is wrong.
def named_in(sheet) {
    def content = content_of(sheet)
    def parts = [content.defaults, content.configurations].flatten().findAll { part -> part instanceof Map }
    def texts = (parts*.weights + parts*.prior + [content.transcripts].flatten())
        .findAll { text -> text instanceof CharSequence && !text.isNumber() }
    return texts.unique().collect { text -> [text, place_of(sheet, text)] }
}

// Return the content of a YAML file as a map, empty if it is none.
def content_of(sheet) {
    def options = new org.yaml.snakeyaml.LoaderOptions()
    def yaml = new org.yaml.snakeyaml.Yaml(new org.yaml.snakeyaml.constructor.SafeConstructor(options))
    try {
        def content = yaml.load(sheet.text)
        return content instanceof Map ? content : [:]
    }
    catch (Exception _fault) {
        return [:]
    }
}

def place_of(sheet, text) {
    return is_relative(text) ? sheet.parent.resolve(text).normalize() : file(text, glob: false)
}

def is_relative(text) {
    return !text.startsWith('/') && !text.contains('://')
}

// Return the problems with the files that tasks would get. A file that does not exist is histpred's to tell of.
def outside(sheet) {
    return named_in(sheet)
        .findAll { text, path -> is_relative(text) && !path.startsWith(sheet.parent) }
        .collect { text, _path -> "${sheet} names ${text}, which is outside its folder: give an absolute path".toString() }
}

// Return the files that exist as [place from the folder of the sheet, path]; the place is null for an absolute path. A file
// in a folder that is named too is left out: the folder brings it.
def beside(sheet) {
    def found = named_in(sheet).findAll { _text, path -> path.exists() }
    return found
        .findAll { _text, path -> !found.any { _other, folder -> folder != path && path.startsWith(folder) } }
        .collect { text, path -> [is_relative(text) ? sheet.parent.relativize(path).toString() : null, path] }
        .unique()
}

// Return the commands that link staged files into the folder `sheet`. `files`: as `beside` returns them; `quoted`: quotes a
// text for bash.
def links_of(files, quoted) {
    def links = files.withIndex(1)
        .findAll { one, _number -> one[0] }
        .collect { one, number ->
            def place = "sheet/${one[0]}".toString()
            def folder = place.take(place.lastIndexOf('/'))
            def staged = String.format('named%02d/%s', number, one[1].name)
            "mkdir -p ${quoted.call(folder)} && ln -s \"\$PWD\"/${quoted.call(staged)} ${quoted.call(place)}".toString()
        }
    return links.join(' && ') ?: 'true'
}
