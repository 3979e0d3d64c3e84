/** The arrows of ARCHITECTURE.md: who may import whom. */
const may = (from, ...allowed) => ({
  name: `${from}-imports-only-${['itself', ...allowed].join('-')}`,
  severity: 'error',
  from: { path: `^${from}/` },
  to: {
    path: '^(core|encoder|calibration|runtime|training|sdk|dashboard|cli|samples|test)/',
    pathNot: `^(${[from, ...allowed].join('|')})/`,
  },
});

export default {
  forbidden: [
    may('core'),
    may('encoder', 'core'),
    may('calibration', 'core'),
    may('runtime', 'core', 'encoder', 'calibration'),
    may('training', 'core', 'encoder', 'calibration'),
    may('sdk', 'core'),
    may('dashboard', 'core', 'sdk'),
    may('cli', 'core', 'encoder', 'calibration', 'runtime', 'training'),
    may('samples'),
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'core-does-no-io',
      severity: 'error',
      from: { path: '^(core|sdk)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'only-the-pipeline-imports-stages',
      severity: 'error',
      from: { path: '^runtime/(camera|sync|faces|views|embed|fuse|stream)/' },
      to: {
        path: '^runtime/(camera|sync|faces|views|embed|fuse|stream)/',
        pathNot: '^runtime/$1/',
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types'] },
  },
};
