// How a run ended: which samples failed, and what histpred said of each.

include { write_crate } from './crate'

// Return the rows of this run's trace as {column: text}, or none if a site turned the trace off.
def trace_rows() {
    def settings = nextflow.Global.session.config.trace
    def path = settings?.enabled && settings.file ? file(settings.file, glob: false) : null
    def rows = []
    if (path) {
        // Nextflow writes the trace in the background. Wait for its last rows, 5 s at most.
        (1..50).find { _turn ->
            def lines = path.exists() ? path.text.readLines().findAll { line -> line }*.split('\t', -1)*.toList() : []
            rows = lines.drop(1).collect { cells -> [lines[0], cells].transpose().collectEntries() }
            rows.count { row -> row.status == 'FAILED' } >= workflow.stats.failedCount || sleep(100)
        }
    }
    return rows
}

// Return histpred's own message from the folder of a failed task as one line, or else the end of the task's output.
def message_of(row) {
    def exit = row.exit?.isInteger() ? row.exit.toInteger() : null
    if (exit in 130..145) {
        return "killed by signal ${exit - 128}, most often for memory".toString()
    }
    def lines = ['.command.err', '.command.out']
        .collect { name -> file(row.workdir ?: '.', glob: false).resolve(name) }
        .findResult([]) { path -> path.exists() && path.text.trim() ? path.text.readLines() : null }
    def start = lines.findLastIndexOf { line -> line ==~ /(?i)(histpred: )?error: .*/ }
    def said = start < 0 ? lines.takeRight(3) : lines.drop(start)
    return said*.trim().join('; ').replaceFirst(/(?i)^(histpred: )?error: /, '').replaceAll(/\s+/, ' ')
        ?: "no message, exit status ${row.exit}; is the disk full? .nextflow.log may say why".toString()
}

// Return a message with the sample's own files in place of the links that its tasks read.
def with_own_files(message, sample) {
    def links = [annotation: 'annotation', fasta: '(?:genome|fasta)', labels: 'labels', vcf: 'vcf']
        .findAll { column, _folder -> sample[column] }
        .collectEntries { column, folder ->
            ["\\b${folder}(?:\\d\\d)?/${java.util.regex.Pattern.quote(sample[column].name)}".toString(), sample[column].toUriString()]
        }
    if (sample.bundle instanceof Path) {
        links['\\bbundle/'] = "${sample.bundle.toUriString()}/".toString()
    }
    return links.inject(message) { text, link, path -> text.replaceAll(link, java.util.regex.Matcher.quoteReplacement(path)) }
}

// Return the failed tasks that were not tried again, as [samples, task, exit, message, folder]. The tag of a sample's task
// begins with its name, that of a BUNDLE task is the origin of samples. Tasks for all samples have no tag.
def failed_tasks(samples, trace) {
    return trace
        .findAll { row -> row.status == 'FAILED' && row.error_action != 'RETRY' }
        .collect { row ->
            def of = samples.findAll { sample -> row.tag == sample.origin || row.tag.tokenize(' ')[0] == sample.id }
            def message = of.take(1).inject(message_of(row)) { text, sample -> with_own_files(text, sample) }
            [samples: of*.id, task: row.process.tokenize(':').last(), exit: row.exit, message: message, folder: row.workdir]
        }
}

// Return a row for each failed sample, as [sample, task, exit, message, folder], in the order of the samples.
def failed_samples(tasks, names, finished) {
    def found = tasks.collectMany { one -> one.samples.collect { id -> [id, one.task, one.exit, one.message, one.folder] } }
    // If the run was cut short, a sample without results need not have failed.
    def silent = workflow.success ? names - finished : []
    found += silent.collect { id -> [id, '-', '-', 'no results; .nextflow.log may say why', '-'] }
    return names.collect { id -> found.find { row -> row[0] == id } }.findAll { row -> row }
}

// Write the table of failed samples, or remove that of an earlier run.
def write_table(path, rows) {
    if (rows) {
        path.parent.mkdirs()
        path.text = ([['sample', 'task', 'exit', 'message', 'folder']] + rows)*.join('\t').join('\n') + '\n'
    }
    else {
        path.delete()
    }
}

// Return the last lines of a run. `rows`: of failed samples; `others`: messages of failed tasks for all samples.
def last_lines(rows, others, samples, outdir) {
    def lines = others + []
    if (rows) {
        lines << "${rows.size()} of ${samples.size()} samples failed, as listed in ${table_in(outdir)}:"
        lines += rows.take(10).collect { row -> "  ${row[0]}: ${row[3]}" }
        lines += rows.size() > 10 ? ['  ...'] : []
    }
    if (workflow.success && !lines) {
        return "Results are in ${outdir}."
    }
    if (!workflow.success) {
        lines << 'Failed: see the error above.'
    }
    else if (rows.size() < samples.size()) {
        lines << "The results of the other samples are in ${outdir}."
    }
    return (lines + 'Run the same command with -resume: finished tasks do not run again.').join('\n')
}

def table_in(outdir) {
    return file("${outdir}/pipeline_info/failed_samples.tsv", glob: false)
}

// Write the table of failed samples and the crate of the results, and return the last lines of the run. `about`: what
// launched it; `finished`: names of the samples with results.
def ended(parameters, about, samples, finished) {
    def trace = trace_rows()
    def tasks = failed_tasks(samples, trace)
    // Samples that are pooled have one result together.
    def rows = failed_samples(tasks, samples*.id, parameters.pool && finished ? samples*.id : finished)
    def others = tasks.findAll { one -> !one.samples }.collect { one -> "${one.task} failed: ${one.message}" }
    write_table(table_in(parameters.outdir), rows)
    if (finished) {
        def images = workflow.containerEngine ? (trace*.container - [null, '-', '']).unique() : []
        def failed = rows ? "${rows.size()} of ${samples.size()} samples failed" : others.join('; ')
        def error = failed ?: workflow.success ? failed : workflow.errorMessage ?: 'the run was cut short'
        write_crate(parameters, about, samples, finished, images, error)
    }
    return last_lines(rows, others, samples, parameters.outdir)
}
