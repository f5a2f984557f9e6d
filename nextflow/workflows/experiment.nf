include { CONFIGURATION } from '../modules/configuration'
include { EXPERIMENT    } from '../modules/experiment'
include { PLAN          } from '../modules/plan'
include { sheet_of      } from '../schema/sheet'

workflow EXPERIMENTATION {
    take:
    sheet   // YAML file
    samples // its genomes, as `samples` of parameters.nf returns them
    kept    // a file in the folder that is kept from run to run
    flags   // options of the configurations

    main:
    def rows = samples.collect { sample ->
        [name: sample.id, annotation: sample.annotation.name, fasta: sample.fasta.name, labels: sample.labels.name] + sample.stated
    }
    def genomes = [sheet_of(rows), samples*.annotation, samples*.fasta, samples*.labels]
    PLAN(sheet, genomes, kept)
    names = PLAN.out.plan.flatMap { plan ->
        new groovy.json.JsonSlurper().parse(plan.resolve('plan.json')).identity.configurations.keySet().sort()
    }
    CONFIGURATION(names, PLAN.out.plan, sheet, genomes, kept, flags)
    finished = CONFIGURATION.out.configuration.toSortedList { folder -> folder.name }
    EXPERIMENT(PLAN.out.plan, finished, sheet, genomes, kept, flags)
    report = EXPERIMENT.out.report

    emit:
    report // files
}
