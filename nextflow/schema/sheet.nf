// The sheet of genomes that a task of several samples gives to histpred, and the samples pooled for such a task.

// Return the samples as one of this name, if there is a name.
def pool(samples, name) {
    return name ? samples.toList().filter { all -> all }.map { all -> pooled(all, name.toString()) } : samples
}

// Return one sample of all samples: lists of files, and in its meta the text of the sheet of genomes.
def pooled(samples, name) {
    def sorted = samples.sort(false) { sample -> sample[0].id }
    def genomes = sorted.collect { meta, annotation, fasta, labels, _bundle, _identity ->
        [name: meta.id, annotation: annotation.name, fasta: fasta.name, labels: labels.name] + meta.stated
    }
    def files = (1..3).collect { number -> sorted.collect { sample -> sample[number] } }
    return [sorted[0][0] + [id: name, genomes: sheet_of(genomes)]] + files + sorted[0].drop(4)
}

// Return the text of a sheet. Files are staged as annotation01/NAME, annotation02/NAME and so on.
def sheet_of(genomes) {
    def columns = genomes[0].keySet() as List
    def rows = genomes.withIndex(1).collect { genome, number ->
        columns.collect { column ->
            def folder = column in ['annotation', 'fasta', 'labels'] ? String.format('%s%02d/', column, number) : ''
            "\"${folder}${(genome[column] ?: '').replace('"', '""')}\""
        }
    }
    return ([columns] + rows).collect { row -> row.join(',') }.join('\n')
}
