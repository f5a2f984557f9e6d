// The pipeline's parameters: help, checks, samples, and the options of histpred's verbs. make.py writes the schema.

include { named_in } from './named'
include { outside  } from './named'
include { quoted   } from '../functions/quoted'

// Return {name: property} of all groups of the schema.
def properties_of(schema) {
    return schema['$defs'].values().collectEntries { group -> group.properties }
}

// Return a file or folder, or a text that says why it cannot be read. Names are not globs.
def path_of(text) {
    try {
        return file(text.toString(), glob: false)
    }
    catch (Exception fault) {
        return "'${text}' cannot be read: ${fault.message}".toString()
    }
}

// Return the problem with a path that tasks would get, or null. Bash would read these characters in Nextflow's own script.
// A container engine splits the folders that it mounts at colons, and some at commas.
def staging_fault(path) {
    def split = [docker: ':', podman: ':', singularity: ':,', apptainer: ':,'][workflow.containerEngine ?: ''] ?: ''
    def found = (path.toString().findAll(/[$*?{\p{Cntrl}]/) + path.parent.toString().findAll { one -> one in split.toList() }).unique()
        .collect { one -> one.matches(/\p{Cntrl}/) ? 'a control character' : "'${one}'".toString() }.unique()
    return found ? "${path} has ${found.join(', ')} in its path, which tasks cannot read; rename it" : null
}

// Return the problem with a path that must exist and that tasks get, or null.
def path_fault(path, format) {
    return path instanceof String ? path : place_fault(path, format) ?: staging_fault(path)
}

// Return true if a path is in the file system of this machine, and not in an object store or on a web server.
def is_local(path) {
    return path.fileSystem == java.nio.file.FileSystems.default
}

def place_fault(path, format) {
    if (!path.exists()) {
        return "there is no ${path}"
    }
    // Object stores know no such rights, or do not tell them to everyone who has them.
    if (is_local(path) && !java.nio.file.Files.isReadable(path)) {
        return "${path} may not be read"
    }
    if (format == 'file-path' && path.isDirectory()) {
        return "${path} is a folder, not a file"
    }
    return format == 'directory-path' && !path.isDirectory() ? "${path} is a file, not a folder" : null
}

// Return the problem with a folder that is made if it does not exist, or null.
def made_fault(path) {
    if (path instanceof String) {
        return path
    }
    if (path.exists()) {
        return place_fault(path, 'directory-path')
    }
    if (!is_local(path)) {
        return null
    }
    def there = path.toAbsolutePath().parent
    return there == null || !there.exists()
        ? there == null ? null : made_fault(there)
        : java.nio.file.Files.isWritable(there) && there.isDirectory() ? null : "${path} cannot be made in ${there}"
}

// Return the problem with the folder that all tasks share, or null.
def store_fault(path) {
    def remote = [path, workflow.workDir].find { one -> !is_local(one) }
    return remote == null
        ? staging_fault(path)
        : "tasks share no folder where ${remote.toUriString()} is; omit --store, and each task embeds for itself".toString()
}

// Return true if a parameter has an effect in a mode. A verb that prepares the work of another verb gets only the options
// of that verb: scatter must not cut windows by a --chunks that predict does not have.
def has_effect(property, mode) {
    if (property['x-modes'] && !(mode in property['x-modes'])) {
        return false
    }
    def verbs = property['x-histpred']?.keySet()
    def ends = mode == 'train' ? ['train', 'evaluate'] : [mode]
    if (verbs) {
        return verbs.any { verb -> verb in ends } || 'scatter' in verbs && verbs.every { verb -> verb in ['scatter', 'variants'] }
    }
    return true
}

def is_number(text) {
    return text ==~ /[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/
}

// Return true if a value is set and is not the default. Numbers come as text, Integer, Double or BigDecimal.
def is_given(value, property) {
    if (property.type == 'number' && value != null && property.default != null && is_number(value.toString())) {
        return new BigDecimal(value.toString()).compareTo(new BigDecimal(property.default.toString())) != 0
    }
    return value != null && value.toString() != property.default?.toString()
}

// Return the parameters that differ from their defaults, as the user gave them.
def changed(parameters, schema) {
    return properties_of(schema)
        .findAll { name, property -> is_given(parameters[name], property) }
        .collectEntries { name, property -> [name, property.type == 'boolean' ? true : parameters[name].toString()] }
}

// Return true if a value is neither a number nor a word that histpred knows.
def names_a_file(value, property) {
    def words = property['x-value']?.tokenize('|')?.findAll { word -> word == word.toLowerCase() }
    return !(value.toString() in words) && !is_number(value.toString())
}

// Return the texts of a value: several, if it names files that are separated by commas.
def texts_of(value, property) {
    return property['x-staged'] == 'each' ? value.toString().tokenize(',')*.trim() : [value]
}

// Return true if a value that may be a file or stand for itself is no file.
def is_no_file(value, property) {
    def path = property['x-staged'] == 'if there' ? path_of(value) : null
    return path != null && (path instanceof String || !path.exists() || path.isDirectory())
}

// Return the files and folders that a value names.
def all_staged(value, property) {
    return value == null ? [] : texts_of(value, property).collect { text -> staged(text, property) }.findAll { path -> path != null }
}

// Return the file or folder that one text of a value names, or null.
def staged(value, property) {
    if (value == null || !property['x-staged'] || !names_a_file(value, property) || is_no_file(value, property)) {
        return null
    }
    def path = path_of(value)
    return path_fault(path, 'path') ? null : path
}

// Return [flag, value, property] of each option that a verb gets.
def told(parameters, schema, verb) {
    return properties_of(schema)
        .findAll { name, property ->
            property['x-histpred']?.containsKey(verb)
                && has_effect(property, parameters.mode)
                && is_given(parameters[name], property)
        }
        .collect { name, property -> [property['x-histpred'][verb], parameters[name], property] }
}

// Return the files and folders that a verb's options name. They are staged in the folder `given`.
def given(parameters, schema, verb) {
    return told(parameters, schema, verb)
        .collectMany { _flag, value, property -> all_staged(value, property) }
}

// Return the options of a verb, quoted for bash.
def flags(parameters, schema, verb) {
    return told(parameters, schema, verb)
        .collectMany { flag, value, property ->
            property.type == 'boolean' ? [flag] : texts_of(value, property).collect { text ->
                def path = staged(text, property)
                "${flag} ${quoted(path == null ? text : "given/${path.name}")}"
            }
        }
        .join(' ')
}

// Return the problem with a value, or null.
def fault_of(value, property) {
    def text = value.toString()
    if (property.type == 'boolean') {
        return text in ['true', 'false'] ? null : "'${text}' is neither true nor false"
    }
    if (value instanceof Boolean || text == '' && property.default != '') {
        return 'no value is given'
    }
    if (value instanceof Map || value instanceof Collection) {
        return "'${text}' is not one value; separate names by commas"
    }
    if (property['x-staged'] == 'each') {
        def one = property + ['x-staged': true]
        return texts_of(value, property) ? texts_of(value, property).findResult { part -> fault_of(part, one) } : 'no value is given'
    }
    if (property.type == 'integer' && !(text ==~ /[+-]?\d+/)) {
        return "'${text}' is not a whole number"
    }
    if (property.type == 'number' && !is_number(text)) {
        return "'${text}' is not a number"
    }
    if (property.type in ['integer', 'number']) {
        return range_fault(new BigDecimal(text), property)
    }
    if (property['enum'] && !(text in property['enum'])) {
        return "'${text}' is none of ${property['enum'].join(', ')}"
    }
    if (property.pattern && !(text ==~ property.pattern)) {
        return property['x-histpred'] ? "'${text}' is not ${property['x-value']}; see --help"
            : "'${text}' is not of letters, digits and . _ + - with a letter or digit first"
    }
    if (property['x-names'] && !(text in property['x-names'])) {
        return foreign(text, property['x-names'])
    }
    if (property.exists || property['x-staged'] && names_a_file(text, property) && !is_no_file(text, property)) {
        return path_fault(path_of(text), property.format)
    }
    def made = property['x-made'] ? path_of(text) : null
    return made == null ? null : made_fault(made) ?: property['x-kept'] ? store_fault(made) : null
}

def range_fault(number, property) {
    if (property.minimum != null && number < property.minimum) {
        return "${number} is less than ${property.minimum}, the least"
    }
    if (property.exclusiveMinimum != null && number <= property.exclusiveMinimum) {
        return "${number} is not more than ${property.exclusiveMinimum}"
    }
    if (property.maximum != null && number > property.maximum) {
        return "${number} is more than ${property.maximum}, the most"
    }
    if (property.exclusiveMaximum != null && number >= property.exclusiveMaximum) {
        return "${number} is not less than ${property.exclusiveMaximum}"
    }
    return null
}

// Return the distance of two names, as Groovy counts it for its own messages: 10 for each letter that is changed, added
// or missing, 5 for two letters that are swapped.
def distance(one, other) {
    return org.codehaus.groovy.runtime.MethodRankHelper.delDistance(one, other)
}

// Return the problem with a value that is not in `known`.
def foreign(text, known) {
    def closest = known.findAll { other -> distance(text, other) <= 20 }.min { other -> distance(text, other) }
    return "'${text}' is none of ${known.join(', ')}${closest ? "; did you mean ${closest}?" : ''}".toString()
}

// Return the names of the bundles that ship with histpred.
def shipped_bundles() {
    return file("${moduleDir}/../../histpred/bundle/shipped/*/bundle.json")*.parent*.name.toSorted()
}

// Return the message for a parameter that is not in `known`. Nextflow turns --shard-bases into shardBases.
def unknown(name, known) {
    def snake = name.replaceAll(/([a-z0-9])([A-Z])/, '$1_$2').replace('-', '_').toLowerCase()
    def typed = name == snake || name != name.uncapitalize() ? name : snake.replace('_', '-')
    if (snake in known) {
        return "--${typed}: write --${snake}"
    }
    def near = known.findAll { other -> snake.size() > 2 && other.startsWith(snake) || distance(snake, other) <= 20 }
    def closest = near.min { other -> distance(snake, other) }
    def hint = closest && snake.size() > 2 ? "did you mean --${closest}?" : '--help lists them all'
    return "--${typed}: no such parameter; ${hint}"
}

// Return true for a value that is given and is not false.
def is_set(value) {
    return value != null && value.toString() != 'false'
}

// Return the problems of parameters that are right alone but not together. histpred would refuse them in a late task.
def conflicts(parameters) {
    def found = []
    if (parameters.pool != null && parameters.input == null) {
        found << '--pool: needs --input, the samplesheet of the genomes'
    }
    def window = parameters.window?.toString()
    if (parameters.tile && window && window.tokenize(':')[0] != 'interval') {
        found << "--tile: not together with --window ${window}; tiles are cut from intervals"
    }
    if (is_set(parameters.sequences)) {
        found += ['regions', 'tile', 'tracks']
            .findAll { name -> is_set(parameters[name]) }
            .collect { name -> "--${name}: not together with --sequences, which have no genome" }
    }
    if (parameters.mode == 'experiment') {
        found += parameters.sheet == null ? ['--sheet: needed with --mode experiment'] : sheet_faults(path_of(parameters.sheet))
    }
    if (parameters.mode == 'train') {
        found += parent_conflicts(parameters)
        def model = parameters.model.toString()
        if ((parameters.prior != null) != (parameters.loss.toString() == 'nnpu')) {
            found << (parameters.prior == null ? '--prior: needed with --loss nnpu' : '--prior: only with --loss nnpu')
        }
        if (parameters.prior != null && is_number(parameters.prior.toString())) {
            def share = new BigDecimal(parameters.prior.toString())
            found += share > 0 && share <= 1 ? [] : ["--prior: ${share} is not a share above 0 and up to 1"]
        }
        if (parameters.mark_dimension != null && model != 'mlp') {
            found << "--mark_dimension: not together with --model ${model}, which has no mark vectors"
        }
        if (parameters.members.toString() != '1' && !(model in ['mlp', 'spectra'])) {
            found << "--members: not together with --model ${model}, which is too large for that"
        }
    }
    return found
}

// Return the problems with the files that the sheet of an experiment names. One that does not exist is no problem here: the
// report says that its configuration is missing.
def sheet_faults(sheet) {
    if (path_fault(sheet, 'file-path')) {
        return []
    }
    def faults = outside(sheet) + named_in(sheet)*.getAt(1).findAll { path -> path.exists() }.collect { path -> staging_fault(path) }
    return faults.findAll { fault -> fault }.collect { fault -> "--sheet: ${fault}".toString() }
}

// Return the problems of a parent, and of parameters that are the parent's.
def parent_conflicts(parameters) {
    if (parameters.from == null) {
        return []
    }
    def fault = bundle_of(parameters.from.toString(), { text -> path_of(text) })[1]
    return (fault ? ["--from: ${fault}"] : []) + ['encoder', 'chunks', 'window']
        .findAll { name -> parameters[name] != null }
        .collect { name -> "--${name}: not together with --from, whose bundle has its own" }
}

// End the run with all problems, or return warnings of parameters without effect.
def check(parameters, schema) {
    def known = properties_of(schema)
    def faults = known.collectEntries { name, property ->
        [name, parameters[name] == null ? null : fault_of(parameters[name], property)]
    }
    def problems = parameters.keySet()
        .findAll { name -> !known.containsKey(name) }
        .collect { name -> unknown(name, known.keySet()) }
    problems += faults.findAll { _name, fault -> fault }.collect { name, fault -> "--${name}: ${fault}" }
    if (parameters.mode == 'train' && parameters.model != 'mlp') {
        problems += ['encoder', 'bundle', 'chunks', 'window', 'weights']
            .findAll { name -> parameters[name] != null }
            .collect { name -> "--${name}: not together with --model ${parameters.model}, which reads bases" }
    }
    def alone = { problem -> faults.any { name, fault -> fault && problem.startsWith("--${name}:") } }
    problems += conflicts(parameters).findAll { problem -> !alone.call(problem) }
    if (!faults.mode) {
        def paths = known
            .findAll { _name, property -> has_effect(property, parameters.mode) }
            .collectMany { name, property -> all_staged(parameters[name], property) }
        problems += paths.unique()
            .groupBy { path -> path.name }
            .findAll { _name, same -> same.size() > 1 }
            .collect { name, same -> "${same.join(', ')}: files beside each other cannot all be called ${name}" }
        // A parameter with a problem of its own gets no second message.
        problems += read_samples(parameters).problems.findAll { problem -> !alone.call(problem) }
    }
    if (problems) {
        def lines = problems.collect { problem -> "  ${problem}".toString() }.unique()
        error("${lines.size()} problem${lines.size() == 1 ? '' : 's'} with the parameters:\n${lines.join('\n')}")
    }
    return known
        .findAll { name, property -> is_given(parameters[name], property) && !has_effect(property, parameters.mode) }
        .collect { name, _property -> "--${name} has no effect with --mode ${parameters.mode}".toString() }
}

// Refuse what Nextflow 25.04 does not pass on: its strict parser gives the configuration the defaults of parameters.
def refuse_ignored(parameters, schema) {
    if (System.getenv('NXF_SYNTAX_PARSER') != 'v2' || !nextflow.version.toString().startsWith('25.04.')) {
        return
    }
    def names = ['outdir', 'registry', 'queue', 'cluster_options', 'gpus', 'gpu_queue', 'gres', 'skip_failed']
    def lost = properties_of(schema).findAll { name, property -> name in names && is_given(parameters[name], property) }
    if (lost) {
        def flags = lost.keySet().collect { name -> "--${name}".toString() }.join(', ')
        error("Nextflow ${nextflow.version} ignores ${flags} under NXF_SYNTAX_PARSER=v2: unset that variable, or take a later Nextflow")
    }
}

// Return the samples as [id, annotation, fasta, labels, vcf, bundle]: paths, or the name of a bundle; null if not given.
def samples(parameters) {
    def read = read_samples(parameters)
    return read.problems ? error(read.problems.join('\n')) : read.samples
}

// Return the columns that say what a genome is of, for a bundle of several genomes.
def stated_columns(parameters) {
    return parameters.pool || parameters.mode == 'experiment' ? ['species', 'taxon_id', 'assembly'] : []
}

// Return samples, and problems as lines of text.
def read_samples(parameters) {
    if (parameters.input != null) {
        return read_sheet(parameters)
    }
    if (parameters.annotation == null && parameters.fasta == null) {
        return [samples: [], problems: ['--annotation and --fasta are needed, or --input; --help says more']]
    }
    def names = (parameters.mode == 'variants' ? ['vcf'] : []) + ['annotation', 'fasta']
    def first = names.find { name -> parameters[name] }
    def named = parameters[first].toString().tokenize('/').last().tokenize('.')[0] ?: 'sample'
    def cells = ['sample', 'annotation', 'fasta', 'labels', 'vcf', 'bundle']
        .collectEntries { name -> [name, parameters[name]?.toString()] }
    def read = sample_of([sample: named] + cells.findAll { _name, text -> text }, parameters, { text -> path_of(text) })
    def problems = read.problems.collect { name, problem ->
        def derived = name == 'sample' && parameters.sample == null ? " (the name of --${first}): give --sample" : ''
        "--${name}: ${problem}${derived}".toString()
    }
    return [samples: [read.sample], problems: problems]
}

// Return the property of a name of a sample or bundle.
def of_name() {
    return [pattern: '[A-Za-z0-9][A-Za-z0-9._+-]*']
}

// Return the folder of a bundle, or the name of one that ships with histpred; and the problem with it, or null.
def bundle_of(text, resolve) {
    def folder = resolve.call(text)
    def fault = path_fault(folder, 'directory-path')
    return fault && !text.contains('/')
        ? [text, fault_of(text, of_name() + ['x-names': shipped_bundles()])]
        : [folder, fault]
}

// Return one sample from {column: text}, and its {column: problem}.
def sample_of(cells, parameters, resolve) {
    def instead = ([predict: ['regions', 'sequences', 'tile'], variants: ['regions']][parameters.mode] ?: [])
        .findAll { name -> is_set(parameters[name]) }
    def needed = ['sample', 'fasta'] + (instead ? [] : ['annotation'])
    needed += parameters.mode == 'predict' ? [] : parameters.mode == 'variants' ? ['vcf'] : ['labels']
    needed += parameters.mode == 'evaluate' ? ['bundle'] : []
    def problems = needed
        .findAll { column -> !cells[column] }
        .collectEntries { column -> [column, "needed with --mode ${parameters.mode}"] }
    if (cells.annotation && instead - 'tile') {
        problems.annotation = "not together with --${(instead - 'tile')[0]}"
    }

    def formats = [annotation: 'file-path', fasta: 'file-path', labels: 'path', vcf: 'file-path']
    def paths = formats.collectEntries { column, _format ->
        [column, cells[column] ? resolve.call(cells[column]) : null]
    }
    problems = formats
        .findAll { column, _format -> paths[column] != null }
        .collectEntries { column, format -> [column, path_fault(paths[column], format)] } + problems
    def (bundle, fault) = cells.bundle ? bundle_of(cells.bundle, resolve) : [null, null]
    problems = [bundle: fault] + problems
    if (cells.sample && fault_of(cells.sample, of_name())) {
        problems.sample = fault_of(cells.sample, of_name())
    }
    if (cells.bundle && parameters.mode == 'train') {
        def other = ['encoder', 'from'].find { name -> parameters[name] != null }
        problems.bundle = other ? "not together with --${other}".toString() : problems.bundle
    }
    if (parameters.mode == 'train' && parameters.from != null) {
        bundle = bundle_of(parameters.from.toString(), { text -> path_of(text) })[0]
    }
    paths.bundle = bundle
    def stated = stated_columns(parameters).collectEntries { column -> [column, cells[column] ?: ''] }
    def more = stated ? [stated: stated] : [:]
    return [sample: [id: cells.sample] + more + paths, problems: problems.findAll { _column, problem -> problem }]
}

// Read the samplesheet: CSV with a header. Cells may be quoted. Relative paths start at its folder.
def read_sheet(parameters) {
    def problems = ['annotation', 'fasta', 'labels', 'vcf', 'sample']
        .findAll { name -> parameters[name] != null }
        .collect { name -> "--${name}: not together with --input, which has a column for it".toString() }
    def sheet = path_of(parameters.input)
    def fault = path_fault(sheet, 'file-path')
    if (fault) {
        return [samples: [], problems: problems + "--input: ${fault}".toString()]
    }

    def text = new String(sheet.bytes, 'UTF-8').replaceFirst('^\uFEFF', '')
    def rows = text.readLines().withIndex(1)
        .findAll { line, _number -> line.trim() }
        .collect { line, number -> [cells_of(line), "${parameters.input}:${number}".toString()] }
    if (rows && rows[0][0] && !('sample' in rows[0][0])) { // a sheet of genomes has the column 'name'
        rows[0][0] = rows[0][0].collect { column -> column == 'name' ? 'sample' : column }
    }
    problems += header_faults(rows, text, stated_columns(parameters))
        .collect { problem -> "${rows ? rows[0][1] : parameters.input}: ${problem}".toString() }
    if (problems) {
        return [samples: [], problems: problems]
    }

    def header = rows[0][0]
    def resolve = { cell -> cell.contains('://') ? path_of(cell) : sheet.parent.resolve(cell).normalize() }
    def folder = path_of(parameters.bundle ?: 'none')
    def common = path_fault(folder, 'directory-path') ? parameters.bundle?.toString() : folder.toString()
    def seen = [:]
    def read = rows.drop(1).collect { cells, where ->
        if (cells == null || cells.size() != header.size()) {
            def what = cells == null ? 'a quote is not closed' : "${cells.size()} cells under ${header.size()} columns"
            problems << "${where}: ${what}".toString()
            return null
        }
        def named = [header, cells].transpose().collectEntries()
        def found = sample_of(named + [bundle: named.bundle ?: common], parameters, resolve)
        problems += found.problems.collect { column, problem -> "${where}: ${column}: ${problem}".toString() }
        if (seen.containsKey(named.sample)) {
            problems << "${where}: sample: '${named.sample}' is that of ${seen[named.sample]} too".toString()
        }
        seen[named.sample] = where
        return found.sample
    }
    if (parameters.pool && read.findAll { sample -> sample }*.bundle.unique().size() > 1) {
        problems << '--pool: the samples have different bundles'
    }
    return [samples: read, problems: problems]
}

// Return the cells of a line, or null if a quote is not closed. Two quotes within quotes mean one.
def cells_of(line) {
    def found = ("${line}," =~ /\G\s*(?:"([^"]*(?:""[^"]*)*)"|([^",]*))\s*,/).collect { match -> match }
    def rest = line.size() + 1 - found.sum { match -> match[0].size() }
    return rest ? null : found.collect { match -> (match[1]?.replace('""', '"') ?: match[2] ?: '').trim() }
}

// Return the problem with a samplesheet's header, or that it has no rows.
def header_faults(rows, text, more) {
    def needed = ['sample', 'annotation', 'fasta']
    def columns = needed + ['labels', 'vcf', 'bundle'] + more
    if (text.contains('\uFFFD') || text.contains('\u0000')) {
        return ['not text in UTF-8']
    }
    def header = rows ? rows[0][0] : []
    if (header == null) {
        return ['a quote is not closed']
    }
    def foreign = header - columns
    if (foreign) {
        return ["no such column: ${foreign.join(' | ')}; there are ${columns.join(',')}, with commas between them"]
    }
    def faults = (needed - header).collect { column -> "the column ${column} is missing" }
    faults += header.countBy { column -> column }
        .findAll { _column, count -> count > 1 }
        .collect { column, count -> "the column ${column} is there ${count} times" }
    return faults + (rows.size() < 2 ? ['no samples under a header'] : [])
}

// Return the help of all parameters, 100 columns wide.
def help(schema) {
    def usage = [
        'Histone marks of non-coding RNA genes from sequence alone: predicted, learned, evaluated.',
        '',
        '  nextflow run main.nf --annotation genes.gtf.gz --fasta genome.fa.gz -profile docker',
        '  nextflow run main.nf --mode train --annotation genes.gtf.gz --fasta genome.fa.gz \\',
        '      --labels labels.tsv --encoder kmer',
        '  nextflow run main.nf --mode evaluate --annotation genes.gtf.gz --fasta genome.fa.gz \\',
        '      --labels labels.tsv --bundle results/bundles/genes',
        '  nextflow run main.nf --mode variants --vcf calls.vcf.gz --annotation genes.gtf.gz \\',
        '      --fasta genome.fa.gz',
        '  nextflow run main.nf --mode experiment --sheet experiment.yaml --input genomes.csv',
        '  nextflow run main.nf --input samples.csv -profile slurm,singularity -resume',
        '',
        'where samples.csv is, for example:',
        '',
        '  sample,annotation,fasta,bundle',
        '  human,gencode.v48.gtf.gz,GRCh38.fa.gz,human-promoter',
        '  mouse,gencode.vM37.gtf.gz,GRCm39.fa.gz,../bundles/mouse',
    ].join('\n')
    def groups = schema['$defs'].values().collect { group ->
        def rows = group.properties.collect { name, property -> help_row(name, property) }
        "${group.title}: ${group.description}\n${rows.join('\n')}"
    }
    return ([usage] + groups).join('\n\n')
}

def help_row(name, property) {
    def kind = [string: 'TEXT', integer: 'INTEGER', number: 'NUMBER', boolean: ''][property.type]
    def left = "  --${name} ${property['enum']?.join('|') ?: property['x-value'] ?: kind}".stripTrailing()
    def notes = [
        property.default in [null, '', false] ? null : "default: ${property.default}",
        property.help_text?.uncapitalize()?.replaceFirst(/\.$/, ''),
        property.minimum == null ? null : "at least ${property.minimum}",
        property.exclusiveMinimum == null ? null : "more than ${property.exclusiveMinimum}",
        property.maximum == null ? null : "at most ${property.maximum}",
        property.exclusiveMaximum == null ? null : "less than ${property.exclusiveMaximum}",
    ].findAll { note -> note }
    def text = property.description + (notes ? " [${notes.join('; ')}]" : '')
    def lines = text.tokenize(' ').inject([]) { done, word ->
        done && "${done.last()} ${word}".size() <= 70 ? done.init() + "${done.last()} ${word}" : done + word
    }
    def fits = left.size() < 29
    return ((fits ? [] : [left]) + lines.withIndex().collect { line, index ->
        (fits && index == 0 ? left : '').padRight(30) + line
    }).join('\n')
}
