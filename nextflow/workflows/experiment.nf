include { CONFIGURATION } from '../modules/configuration'
include { EXPERIMENT    } from '../modules/experiment'
include { PLAN          } from '../modules/plan'
include { quoted        } from '../functions/quoted'
include { beside        } from '../schema/named'
include { links_of      } from '../schema/named'
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
    def files = beside(sheet)
    // The sheet, what links the files that it names into its folder, and those files
    def whole = [sheet, links_of(files, { text -> quoted(text) }), files*.getAt(1)]
    PLAN(whole, genomes, kept)
    names = PLAN.out.plan.flatMap { plan ->
        new groovy.json.JsonSlurper().parse(plan.resolve('plan.json')).identity.configurations.keySet().sort()
    }
    CONFIGURATION(names, PLAN.out.plan, whole, genomes, kept, flags)
    finished = CONFIGURATION.out.configuration.toSortedList { folder -> folder.name }
    EXPERIMENT(PLAN.out.plan, finished, whole, genomes, kept, flags)
    report = EXPERIMENT.out.report

    emit:
    report // files
}
